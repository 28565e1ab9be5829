//! The fuzz target `signed-definition-consent`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-definition-consent");
