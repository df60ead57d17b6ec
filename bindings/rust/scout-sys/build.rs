//! Finds libscout. In this order: SCOUT_LIB_DIR, a folder that holds libscout.so; pkg-config (or what PKG_CONFIG names), which
//! knows where a package put it and refuses a version whose ABI may differ.
use std::env;
use std::process::Command;

/// Before 1.0 every minor version may break; from 1.0 on the range will be a major version.
const VERSIONS: [&str; 2] = ["scout >= 0.1.0", "scout < 0.2.0"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for name in ["SCOUT_LIB_DIR", "PKG_CONFIG", "PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR", "DOCS_RS"] {
        println!("cargo:rerun-if-env-changed={}", name);
    }
    if env::var_os("DOCS_RS").is_some() {
        return; // documentation links nothing
    }
    if let Some(folder) = env::var_os("SCOUT_LIB_DIR") {
        let folder = folder.into_string().expect("SCOUT_LIB_DIR is not UTF-8");
        link(&[format!("-L{}", folder), "-lscout".to_string()]);
        return;
    }
    let program = env::var_os("PKG_CONFIG").unwrap_or_else(|| "pkg-config".into());
    match Command::new(&program).arg("--libs").args(VERSIONS).output() {
        Ok(output) if output.status.success() => {
            let flags = String::from_utf8(output.stdout).expect("pkg-config's answer is not UTF-8");
            link(&flags.split_whitespace().map(str::to_string).collect::<Vec<_>>());
        }
        Ok(output) => give_up(&String::from_utf8_lossy(&output.stderr)),
        Err(error) => give_up(&format!("{}: {}", program.to_string_lossy(), error)),
    }
}

/// -L and -l become what cargo understands; libdir is for build scripts of dependents (DEP_SCOUT_LIBDIR).
fn link(flags: &[String]) {
    for flag in flags {
        if let Some(folder) = flag.strip_prefix("-L") {
            println!("cargo:rustc-link-search=native={}", folder);
            println!("cargo:libdir={}", folder);
        } else if let Some(name) = flag.strip_prefix("-l") {
            println!("cargo:rustc-link-lib=dylib={}", name);
        }
    }
}

fn give_up(why: &str) -> ! {
    eprintln!(
        "libscout 0.1 is not found: {}\nInstall it with its pkg-config file, add the folder of scout.pc to PKG_CONFIG_PATH, or set SCOUT_LIB_DIR \
         to the folder of libscout.so.",
        why.trim()
    );
    std::process::exit(1);
}
