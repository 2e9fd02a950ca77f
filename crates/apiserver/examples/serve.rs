//! An API server without controllers, for trying clients: `serve [PORT] [KUBECONFIG]`.
//!
//! Invariant: ends on Ctrl-C.
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::error::Error;
use std::path::Path;

use apiserver::ApiServer;
use apiserver::http::{Config, Server, kubeconfig};
use world::World;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().map_or(Ok(0), |text| text.parse())?;
    let path = arguments.next().unwrap_or_else(|| "kubeconfig".to_owned());
    let api = ApiServer::builder(World::real()).build();
    apiserver::bootstrap(&api)?;
    let mut config = Config::local()?;
    config.listen.set_port(port);
    let server = Server::start(api, config)?;
    kubeconfig::write(Path::new(&path), server.kubeconfig())?;
    println!("https://{} with {path}", server.addr());
    tokio::signal::ctrl_c().await?;
    server.shutdown().await;
    Ok(())
}
