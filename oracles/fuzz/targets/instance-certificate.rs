//! The fuzz target `instance-certificate`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("instance-certificate");
