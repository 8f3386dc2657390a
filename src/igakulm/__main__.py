"""`python -m igakulm`, which is how `torchrun -m igakulm` starts the command line."""

from igakulm.cli.app import main

if __name__ == "__main__":
    main()
