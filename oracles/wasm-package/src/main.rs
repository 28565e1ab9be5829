//! `quorate-wasm-package INPUT.wasm FOLDER`: what `wasm-bindgen --target web` does.
//!
//! It writes `quorate_verify.js` and `quorate_verify_bg.wasm` into the folder. The library is the one
//! behind that command, at the version of the macro that made the input: they must be equal, and two
//! lines of two `Cargo.toml` say so.
//!
//! It is no oracle. It stands here because what it depends on is only for building a package, and has
//! no place in the product's lockfile.

use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [input, folder] = &arguments[..] else {
        eprintln!("usage: quorate-wasm-package INPUT.wasm FOLDER");
        return ExitCode::from(2);
    };
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(input)
        .out_name("quorate_verify")
        // As the command does: the page that imports the script need not know the other file.
        .omit_default_module_path(false)
        .typescript(true);
    match bindgen.web(true).and_then(|web| web.generate(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            eprintln!("  do: build the input first: ./test --only browser");
            ExitCode::FAILURE
        }
    }
}
