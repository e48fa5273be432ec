"""Connection tests as work: open connections, look at certificates, ask small questions; each returns a report."""
