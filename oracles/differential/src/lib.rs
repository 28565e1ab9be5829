//! Nothing to link: the work is in `tests/`, one file for each oracle.
#![forbid(unsafe_code)]
