//! Nothing: the tests beside this are the package. See `oracles/README.md`.
