"""The newest version of a use case is compared with the one before it, as known then."""

from tests.quality.made import at, open_log, request, rollout

from phitrail.quality.as_of import AsOf
from phitrail.quality.versions import Pair, find_pairs, list_versions

VIEW = AsOf(at(100))


def test_the_version_that_began_last_is_the_candidate() -> None:
    """Comparing the wrong way round would call a rollback a regression."""
    log = [
        request(1, 1, version="v9"),
        request(2, 5, version="v2"),
        request(3, 9, version="v9"),
        request(4, 11, version="v1"),
    ]
    assert find_pairs(open_log(log), VIEW) == (
        Pair("model", "chart_qa", "v1", "v2", at(11)),
    )


def test_a_rollout_says_when_a_version_began() -> None:
    """A version that was tried once in spring would never be the new one."""
    log = [
        request(1, 1, version="v2"),
        request(2, 5, version="v1"),
        rollout(3, 6, "v2"),
        request(4, 9, version="v2"),
    ]
    (pair,) = find_pairs(open_log(log), VIEW)
    assert (pair.candidate, pair.baseline, pair.since) == ("v2", "v1", at(6))


def test_a_rollout_without_a_use_case_speaks_of_all_of_them() -> None:
    """The other use cases would be compared from the wrong hour."""
    log = [
        rollout(1, 2, "v1", use_case=None),
        rollout(2, 7, "v2", use_case=None),
        *(
            request(10 + n, 8 + n, version=version, use_case=use_case)
            for n, (version, use_case) in enumerate(
                [("v1", "chart_qa"), ("v2", "chart_qa"), ("v2", "summary")]
            )
        ),
        request(20, 20, version="v1", use_case="summary"),
    ]
    pairs = find_pairs(open_log(log), VIEW)
    assert [(p.use_case, p.candidate, p.since) for p in pairs] == [
        ("chart_qa", "v2", at(7)),
        ("summary", "v2", at(7)),
    ]


def test_one_version_is_compared_with_nothing() -> None:
    """There is no pair to make up."""
    assert find_pairs(open_log([request(1, 1)]), VIEW) == ()
    assert find_pairs(open_log([]), VIEW) == ()


def test_what_is_known_later_changes_no_older_answer() -> None:
    """A report of last month would name other versions today."""
    log = [request(1, 1, version="v1"), request(2, 2, version="v2")]
    later = [
        *log,
        request(3, 3, received=200, version="v3"),
        rollout(4, 0.5, "v1", received=150),
    ]
    assert find_pairs(open_log(log), VIEW) == find_pairs(open_log(later), VIEW)


def test_a_version_says_how_much_it_served() -> None:
    """Who decides wants to see whether a version has served at all."""
    log = [request(n, n, version="v1") for n in range(1, 4)]
    (served,) = list_versions(open_log(log), VIEW)
    assert (served.begins, served.newest, served.requests) == (at(1), at(3), 3)


def test_requests_that_do_not_say_are_left_out() -> None:
    """An unnamed version would become a candidate called nothing."""
    log = [
        request(1, 1, version="v1"),
        request(2, 2, version=None),
        request(3, 3, version="v2", use_case=None),
    ]
    assert find_pairs(open_log(log), VIEW) == ()
