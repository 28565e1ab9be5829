//! The fuzz target `signed-entrusted-share`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-entrusted-share");
