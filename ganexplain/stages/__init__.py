"""One file a subcommand: reads artifacts, computes, writes artifacts."""
