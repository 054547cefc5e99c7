"""What the compatibility cases share: client programs, brokers, raw wire clients, the mapping rules. Python 3.11, no packages."""
