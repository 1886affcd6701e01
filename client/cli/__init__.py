"""The command line `kvae`: a command or a group of them a module."""
