"""What kallos is when it is killed, stopped, or out of room: `make faults`."""
