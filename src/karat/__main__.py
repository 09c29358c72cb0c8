"""`python -m karat`: the command, where its script is not on the path."""

from karat.cli import main

if __name__ == "__main__":
    main()
