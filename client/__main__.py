"""`python -m client`: the same as `kvae`."""

from client.cli.main import main

if __name__ == "__main__":
    main()
