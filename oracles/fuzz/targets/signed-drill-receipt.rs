//! The fuzz target `signed-drill-receipt`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-drill-receipt");
