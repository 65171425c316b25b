"""`python -m ganexplain`: the command line, also under `torchrun -m`."""

from ganexplain.cli import main

if __name__ == "__main__":
    main()
