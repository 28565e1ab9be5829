//! The fuzz target `definition-consent`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("definition-consent");
