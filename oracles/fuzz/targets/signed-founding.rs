//! The fuzz target `signed-founding`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-founding");
