"""`python -m audiosurvey` and `torchrun -m audiosurvey`: the same as the console script."""

from audiosurvey.cli.main import main

main()
