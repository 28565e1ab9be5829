//! A local Nitro: NSM with a development root, process runner.
