//! The fuzz target `signed-instance-certificate`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-instance-certificate");
