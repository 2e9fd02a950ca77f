//! The built-in one-page web server, for images made `FROM scratch` by the program itself.
//!
//! Invariant: the image holds one static program and nothing else.

use crate::spec::WebImage;

/// The program `web PORT PAGE`, compiled by the build script for Linux on this architecture; empty
/// when that was not possible.
static PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/web"));

/// A file of an image: path and content.
pub type File = (String, Vec<u8>);

/// Files and entrypoint of the image.
///
/// # Errors
/// When this build of the program carries no web server.
pub fn image(web: &WebImage) -> Result<(Vec<File>, [String; 3]), String> {
    if PROGRAM.is_empty() {
        return Err("this program was built without the web server for Linux containers".to_owned());
    }
    let files = vec![("web".to_owned(), PROGRAM.to_vec())];
    Ok((files, ["/web".to_owned(), web.port.to_string(), web.page.clone()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_program_is_a_small_static_executable() {
        assert!(PROGRAM.starts_with(b"\x7fELF"), "built for Linux hosts");
        assert!(PROGRAM.len() < 64 * 1024, "{} bytes", PROGRAM.len());
        let web = WebImage { port: 80, page: "hi".to_owned() };
        assert_eq!(image(&web).unwrap().1, ["/web", "80", "hi"]);
    }
}
