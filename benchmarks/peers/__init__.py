"""One program a framework, each in a process and an environment of its own, held against each other."""
