"""kallos's store beside its peers: one workload, one small adapter a system, each in its own interpreter."""
