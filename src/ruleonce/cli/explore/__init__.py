"""The explorer: one page in the browser, where rules run, are read, and are edited."""
