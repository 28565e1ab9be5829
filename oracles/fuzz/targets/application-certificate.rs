//! The fuzz target `application-certificate`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("application-certificate");
