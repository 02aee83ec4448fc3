"""``python -m roadgraph`` is the ``roadgraph`` command."""

from roadgraph.cli import main

if __name__ == "__main__":
    main()
