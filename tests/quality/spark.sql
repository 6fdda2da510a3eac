WITH requests AS (
  SELECT
    idx,
    request_id,
    event_id,
    timestamp_utc,
    model_id,
    model_version,
    provider,
    rollout,
    use_case,
    facility_id,
    input_tokens,
    output_tokens,
    cache_read_tokens,
    latency_us,
    time_to_first_token_us,
    retrieved_document_hashes,
    retrieved_count,
    retrieval_scores_e6,
    top_retrieval_score_e6,
    cache_hit,
    finish_reason,
    content_filtered,
    disclaimer_present,
    refused,
    citation_count,
    guard_decision,
    error_code,
    source_id,
    source_epoch,
    source_seq,
    received_at
  FROM model_requests
  WHERE
    received_at <= CAST('2026-03-02 00:00:00.000000' AS TIMESTAMP_NTZ)
    AND timestamp_utc <= CAST('2026-02-27 00:00:00.000000' AS TIMESTAMP_NTZ)
    AND timestamp_utc > CAST('2026-01-31 00:00:00.000000' AS TIMESTAMP_NTZ)
    AND use_case = ?
), placed AS (
  SELECT
    *,
    DATE_TRUNC('DAY', timestamp_utc) AS window_start
  FROM requests
), known AS (
  SELECT
    r.idx,
    f.idx AS rating_idx,
    f.value,
    f.flag_reason
  FROM (
    SELECT
      *
    FROM placed
    WHERE
      request_id IN (
        SELECT
          request_id
        FROM feedback
        WHERE
          received_at <= CAST('2026-03-02 00:00:00.000000' AS TIMESTAMP_NTZ)
      )
  ) AS r
  JOIN feedback AS f
    ON f.request_id = r.request_id
  WHERE
    f.received_at <= CAST('2026-03-02 00:00:00.000000' AS TIMESTAMP_NTZ)
    AND f.received_at <= r.timestamp_utc + INTERVAL '259200' SECOND
), twice AS (
  SELECT
    rating_idx,
    MIN(idx) AS first_idx
  FROM known
  GROUP BY
    rating_idx
  HAVING
    COUNT(*) > 1
), once AS (
  SELECT
    k.*
  FROM known AS k
  LEFT JOIN twice AS t
    ON t.rating_idx = k.rating_idx
  WHERE
    t.first_idx IS NULL OR t.first_idx = k.idx
), contested AS (
  SELECT
    idx
  FROM once
  GROUP BY
    idx
  HAVING
    COUNT(*) > 1
), detailed AS (
  SELECT
    o.idx,
    o.rating_idx,
    f.event_id,
    f.rater,
    f.supersedes
  FROM once AS o
  JOIN contested AS c
    ON c.idx = o.idx
  JOIN feedback AS f
    ON f.idx = o.rating_idx
), standing AS (
  SELECT
    d.*
  FROM detailed AS d
  LEFT JOIN (
    SELECT DISTINCT
      idx,
      supersedes
    FROM detailed
    WHERE
      supersedes <> event_id
  ) AS s
    ON s.supersedes = d.event_id AND s.idx = d.idx
  WHERE
    s.supersedes IS NULL
), newest AS (
  SELECT
    MAX(rating_idx) AS rating_idx
  FROM standing
  GROUP BY
    idx,
    COALESCE(rater, CAST(event_id AS STRING))
)
SELECT
  window_start,
  model_version,
  use_case,
  COUNT(CASE WHEN TRUE THEN 1 END) AS requests_n,
  COUNT(CASE WHEN NOT latency_us IS NULL THEN latency_us / 1000.0 END) AS latency_mean_n,
  AVG(CASE WHEN NOT latency_us IS NULL THEN latency_us / 1000.0 END) AS latency_mean_mean,
  STDDEV_SAMP(CASE WHEN NOT latency_us IS NULL THEN latency_us / 1000.0 END) AS latency_mean_sd,
  COUNT(CASE WHEN NOT latency_us IS NULL THEN latency_us / 1000.0 END) AS latency_p95_n,
  PERCENTILE_APPROX(
    CASE WHEN NOT latency_us IS NULL THEN latency_us / 1000.0 END,
    ARRAY(
      0.0,
      0.0096045,
      0.1976836,
      0.3481469,
      0.4685175,
      0.564814,
      0.6418512,
      0.703481,
      0.7527848,
      0.7922278,
      0.8237823,
      0.8490258,
      0.8692206,
      0.8853765,
      0.8983012,
      0.908641,
      0.9169128,
      0.9235302,
      0.9288242,
      0.9330593,
      0.9364475,
      0.939158,
      0.9413264,
      0.9430611,
      0.9444489,
      0.9455591,
      0.9464473,
      0.9471578,
      0.9477263,
      0.948181,
      0.9485448,
      0.9488358,
      0.9490687,
      0.9492549,
      0.949404,
      0.9495232,
      0.9496185,
      0.9496948,
      0.9497559,
      0.9498047,
      0.9498437,
      0.949875,
      0.9499,
      0.95,
      0.9501,
      0.950125,
      0.9501562,
      0.9501953,
      0.9502441,
      0.9503052,
      0.9503815,
      0.9504768,
      0.950596,
      0.9507451,
      0.9509313,
      0.9511642,
      0.9514552,
      0.951819,
      0.9522737,
      0.9528422,
      0.9535527,
      0.9544409,
      0.9555511,
      0.9569389,
      0.9586736,
      0.960842,
      0.9635525,
      0.9669407,
      0.9711758,
      0.9764698,
      0.9830872,
      0.991359,
      1.0
    )
  ) AS latency_p95_ladder,
  COUNT(CASE WHEN NOT cache_hit IS NULL THEN CASE WHEN cache_hit THEN 1 ELSE 0 END END) AS cache_hit_rate_n,
  CAST(SUM(CASE WHEN NOT cache_hit IS NULL THEN CASE WHEN cache_hit THEN 1 ELSE 0 END END) AS BIGINT) AS cache_hit_rate_hits,
  COUNT(
    CASE
      WHEN NOT content_filtered IS NULL
      THEN CASE WHEN content_filtered THEN 1 ELSE 0 END
    END
  ) AS content_filter_rate_n,
  CAST(SUM(
    CASE
      WHEN NOT content_filtered IS NULL
      THEN CASE WHEN content_filtered THEN 1 ELSE 0 END
    END
  ) AS BIGINT) AS content_filter_rate_hits,
  COUNT(
    CASE
      WHEN NOT disclaimer_present IS NULL
      THEN CASE WHEN disclaimer_present THEN 1 ELSE 0 END
    END
  ) AS disclaimer_rate_n,
  CAST(SUM(
    CASE
      WHEN NOT disclaimer_present IS NULL
      THEN CASE WHEN disclaimer_present THEN 1 ELSE 0 END
    END
  ) AS BIGINT) AS disclaimer_rate_hits,
  COUNT(CASE WHEN NOT citation_count IS NULL THEN citation_count END) AS citations_mean_n,
  AVG(CASE WHEN NOT citation_count IS NULL THEN citation_count END) AS citations_mean_mean,
  STDDEV_SAMP(CASE WHEN NOT citation_count IS NULL THEN citation_count END) AS citations_mean_sd,
  COUNT(
    CASE
      WHEN NOT top_retrieval_score_e6 IS NULL
      THEN top_retrieval_score_e6 / 1000000.0
    END
  ) AS top_score_mean_n,
  AVG(
    CASE
      WHEN NOT top_retrieval_score_e6 IS NULL
      THEN top_retrieval_score_e6 / 1000000.0
    END
  ) AS top_score_mean_mean,
  STDDEV_SAMP(
    CASE
      WHEN NOT top_retrieval_score_e6 IS NULL
      THEN top_retrieval_score_e6 / 1000000.0
    END
  ) AS top_score_mean_sd,
  COUNT(
    CASE
      WHEN NOT finish_reason IS NULL
      THEN CASE WHEN finish_reason = 'length' THEN 1 ELSE 0 END
    END
  ) AS truncation_rate_n,
  CAST(SUM(
    CASE
      WHEN NOT finish_reason IS NULL
      THEN CASE WHEN finish_reason = 'length' THEN 1 ELSE 0 END
    END
  ) AS BIGINT) AS truncation_rate_hits,
  COUNT(
    CASE
      WHEN NOT error_code IS NULL OR NOT finish_reason IS NULL
      THEN CASE WHEN NOT error_code IS NULL OR finish_reason = 'error' THEN 1 ELSE 0 END
    END
  ) AS error_rate_n,
  CAST(SUM(
    CASE
      WHEN NOT error_code IS NULL OR NOT finish_reason IS NULL
      THEN CASE WHEN NOT error_code IS NULL OR finish_reason = 'error' THEN 1 ELSE 0 END
    END
  ) AS BIGINT) AS error_rate_hits,
  COUNT(CASE WHEN NOT refused IS NULL THEN CASE WHEN refused THEN 1 ELSE 0 END END) AS refusal_rate_n,
  CAST(SUM(CASE WHEN NOT refused IS NULL THEN CASE WHEN refused THEN 1 ELSE 0 END END) AS BIGINT) AS refusal_rate_hits,
  COUNT(
    CASE
      WHEN NOT guard_decision IS NULL
      THEN CASE WHEN guard_decision <> 'release' THEN 1 ELSE 0 END
    END
  ) AS guard_hit_rate_n,
  CAST(SUM(
    CASE
      WHEN NOT guard_decision IS NULL
      THEN CASE WHEN guard_decision <> 'release' THEN 1 ELSE 0 END
    END
  ) AS BIGINT) AS guard_hit_rate_hits,
  COUNT(CASE WHEN TRUE THEN CASE WHEN is_rated THEN 1 ELSE 0 END END) AS response_rate_n,
  CAST(SUM(CASE WHEN TRUE THEN CASE WHEN is_rated THEN 1 ELSE 0 END END) AS BIGINT) AS response_rate_hits,
  COUNT(
    CASE
      WHEN NOT time_to_first_token_us IS NULL
      THEN time_to_first_token_us / 1000.0
    END
  ) AS first_token_p95_n,
  PERCENTILE_APPROX(
    CASE
      WHEN NOT time_to_first_token_us IS NULL
      THEN time_to_first_token_us / 1000.0
    END,
    ARRAY(
      0.0,
      0.0096045,
      0.1976836,
      0.3481469,
      0.4685175,
      0.564814,
      0.6418512,
      0.703481,
      0.7527848,
      0.7922278,
      0.8237823,
      0.8490258,
      0.8692206,
      0.8853765,
      0.8983012,
      0.908641,
      0.9169128,
      0.9235302,
      0.9288242,
      0.9330593,
      0.9364475,
      0.939158,
      0.9413264,
      0.9430611,
      0.9444489,
      0.9455591,
      0.9464473,
      0.9471578,
      0.9477263,
      0.948181,
      0.9485448,
      0.9488358,
      0.9490687,
      0.9492549,
      0.949404,
      0.9495232,
      0.9496185,
      0.9496948,
      0.9497559,
      0.9498047,
      0.9498437,
      0.949875,
      0.9499,
      0.95,
      0.9501,
      0.950125,
      0.9501562,
      0.9501953,
      0.9502441,
      0.9503052,
      0.9503815,
      0.9504768,
      0.950596,
      0.9507451,
      0.9509313,
      0.9511642,
      0.9514552,
      0.951819,
      0.9522737,
      0.9528422,
      0.9535527,
      0.9544409,
      0.9555511,
      0.9569389,
      0.9586736,
      0.960842,
      0.9635525,
      0.9669407,
      0.9711758,
      0.9764698,
      0.9830872,
      0.991359,
      1.0
    )
  ) AS first_token_p95_ladder,
  COUNT(
    CASE
      WHEN NOT retrieved_count IS NULL
      THEN CASE WHEN retrieved_count = 0 THEN 1 ELSE 0 END
    END
  ) AS empty_retrieval_rate_n,
  CAST(SUM(
    CASE
      WHEN NOT retrieved_count IS NULL
      THEN CASE WHEN retrieved_count = 0 THEN 1 ELSE 0 END
    END
  ) AS BIGINT) AS empty_retrieval_rate_hits,
  COUNT(
    CASE
      WHEN NOT cache_read_tokens IS NULL
      THEN CASE WHEN cache_read_tokens > 0 THEN 1 ELSE 0 END
    END
  ) AS prompt_cache_rate_n,
  CAST(SUM(
    CASE
      WHEN NOT cache_read_tokens IS NULL
      THEN CASE WHEN cache_read_tokens > 0 THEN 1 ELSE 0 END
    END
  ) AS BIGINT) AS prompt_cache_rate_hits
FROM (
  SELECT
    p.*,
    NOT g.idx IS NULL AS is_rated
  FROM placed AS p
  LEFT JOIN (
    SELECT DISTINCT
      idx
    FROM (
      SELECT
        o.*
      FROM once AS o
      LEFT JOIN contested AS c
        ON c.idx = o.idx
      LEFT JOIN newest AS n
        ON n.rating_idx = o.rating_idx
      WHERE
        c.idx IS NULL OR NOT n.rating_idx IS NULL
    ) AS d
  ) AS g
    ON g.idx = p.idx
) AS cells
GROUP BY
  window_start,
  model_version,
  use_case
ORDER BY
  window_start,
  model_version,
  use_case;
WITH requests AS (
  SELECT
    idx,
    request_id,
    event_id,
    timestamp_utc,
    model_id,
    model_version,
    provider,
    rollout,
    use_case,
    facility_id,
    input_tokens,
    output_tokens,
    cache_read_tokens,
    latency_us,
    time_to_first_token_us,
    retrieved_document_hashes,
    retrieved_count,
    retrieval_scores_e6,
    top_retrieval_score_e6,
    cache_hit,
    finish_reason,
    content_filtered,
    disclaimer_present,
    refused,
    citation_count,
    guard_decision,
    error_code,
    source_id,
    source_epoch,
    source_seq,
    received_at
  FROM model_requests
  WHERE
    received_at <= CAST('2026-03-02 00:00:00.000000' AS TIMESTAMP_NTZ)
    AND timestamp_utc <= CAST('2026-02-27 00:00:00.000000' AS TIMESTAMP_NTZ)
    AND timestamp_utc > CAST('2026-01-31 00:00:00.000000' AS TIMESTAMP_NTZ)
    AND use_case = ?
), placed AS (
  SELECT
    *,
    DATE_TRUNC('DAY', timestamp_utc) AS window_start
  FROM requests
), known AS (
  SELECT
    r.idx,
    r.window_start,
    r.model_version,
    r.use_case,
    f.idx AS rating_idx,
    f.value,
    f.flag_reason
  FROM (
    SELECT
      *
    FROM placed
    WHERE
      request_id IN (
        SELECT
          request_id
        FROM feedback
        WHERE
          received_at <= CAST('2026-03-02 00:00:00.000000' AS TIMESTAMP_NTZ)
      )
  ) AS r
  JOIN feedback AS f
    ON f.request_id = r.request_id
  WHERE
    f.received_at <= CAST('2026-03-02 00:00:00.000000' AS TIMESTAMP_NTZ)
    AND f.received_at <= r.timestamp_utc + INTERVAL '259200' SECOND
), twice AS (
  SELECT
    rating_idx,
    MIN(idx) AS first_idx
  FROM known
  GROUP BY
    rating_idx
  HAVING
    COUNT(*) > 1
), once AS (
  SELECT
    k.*
  FROM known AS k
  LEFT JOIN twice AS t
    ON t.rating_idx = k.rating_idx
  WHERE
    t.first_idx IS NULL OR t.first_idx = k.idx
), contested AS (
  SELECT
    idx
  FROM once
  GROUP BY
    idx
  HAVING
    COUNT(*) > 1
), detailed AS (
  SELECT
    o.idx,
    o.rating_idx,
    f.event_id,
    f.rater,
    f.supersedes
  FROM once AS o
  JOIN contested AS c
    ON c.idx = o.idx
  JOIN feedback AS f
    ON f.idx = o.rating_idx
), standing AS (
  SELECT
    d.*
  FROM detailed AS d
  LEFT JOIN (
    SELECT DISTINCT
      idx,
      supersedes
    FROM detailed
    WHERE
      supersedes <> event_id
  ) AS s
    ON s.supersedes = d.event_id AND s.idx = d.idx
  WHERE
    s.supersedes IS NULL
), newest AS (
  SELECT
    MAX(rating_idx) AS rating_idx
  FROM standing
  GROUP BY
    idx,
    COALESCE(rater, CAST(event_id AS STRING))
)
SELECT
  window_start,
  model_version,
  use_case,
  COUNT(
    CASE WHEN NOT value IS NULL THEN CASE WHEN value = 'positive' THEN 1 ELSE 0 END END
  ) AS positive_rate_n,
  CAST(SUM(
    CASE WHEN NOT value IS NULL THEN CASE WHEN value = 'positive' THEN 1 ELSE 0 END END
  ) AS BIGINT) AS positive_rate_hits,
  COUNT(CASE WHEN TRUE THEN CASE WHEN NOT flag_reason IS NULL THEN 1 ELSE 0 END END) AS flag_rate_n,
  CAST(SUM(CASE WHEN TRUE THEN CASE WHEN NOT flag_reason IS NULL THEN 1 ELSE 0 END END) AS BIGINT) AS flag_rate_hits
FROM (
  SELECT
    o.*
  FROM once AS o
  LEFT JOIN contested AS c
    ON c.idx = o.idx
  LEFT JOIN newest AS n
    ON n.rating_idx = o.rating_idx
  WHERE
    c.idx IS NULL OR NOT n.rating_idx IS NULL
) AS cells
GROUP BY
  window_start,
  model_version,
  use_case
ORDER BY
  window_start,
  model_version,
  use_case;
