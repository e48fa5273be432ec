"""The fault plane at work: links on real sockets, processes of a scenario, the run of it, the API that drives it."""
