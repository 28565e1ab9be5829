//! The fuzz target `signed-application-certificate`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-application-certificate");
