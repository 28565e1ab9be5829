//! The fuzz target `entrusted-share`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("entrusted-share");
