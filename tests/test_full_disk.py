"""A disk that is full in the middle of a command: one sentence, nothing stored is lost, the same command goes on.

A limit on the size of files stands for the disk: it needs no right to mount one. What the system then says is another
error than that of a full disk, so it is told here which one was meant. `make faults` fills a real one.
"""
