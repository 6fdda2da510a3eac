"""`python -m phitrail` is `phitrail`."""

from phitrail.cli.main import run

if __name__ == "__main__":
    run()
