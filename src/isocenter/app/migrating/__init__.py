"""The migration of an archive as work: sources, targets, a job's folder, and the steps from inventory to report."""
