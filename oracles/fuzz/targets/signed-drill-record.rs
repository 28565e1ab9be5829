//! The fuzz target `signed-drill-record`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-drill-record");
