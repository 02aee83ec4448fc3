"""How good the data of a local day are: its report, its drift and its checks."""
