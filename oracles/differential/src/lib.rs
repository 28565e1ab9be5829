//! Nothing to link: the work is in `tests/`, one file for each oracle,
//! and in `benches/`.
#![forbid(unsafe_code)]
