//! The fuzz target `signed-drill-grant`.
#![cfg_attr(fuzzing, no_main)]
quorate_fuzz::target!("signed-drill-grant");
