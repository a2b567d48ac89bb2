"""What several tests share: jobs, the lives of jobs without an engine, and the real engine on a virtual clock."""
