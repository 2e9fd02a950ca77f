//! An API server as a process of its own, so that a client's work and memory do not count as the
//! server's: the hidden command `serve` of this program, and whoever starts it.
//!
//! Invariant: the server ends with whoever started it.
#![expect(clippy::print_stdout, reason = "the address goes to whoever started the server")]

use std::io::{BufRead as _, BufReader};
use std::process::Command;

use anyhow::{Context as _, Result};
use apimachinery::{Value, json};
use apiserver::http::{Config, Server};
use apiserver::{ApiServer, User};
use world::World;

use crate::https::Address;
use crate::program::Running;

/// The bearer of this may do everything.
pub(crate) const TOKEN: &str = "bench";

/// An API server with all namespaces of a cluster and nothing else.
pub(crate) fn api_server() -> Result<ApiServer> {
    let server = ApiServer::builder(World::real()).build();
    apiserver::bootstrap(&server)?;
    Ok(server)
}

/// Serves `api` in this process.
pub(crate) fn serve(api: ApiServer) -> Result<(Server, Address)> {
    let mut config = Config::local()?;
    config.tokens = vec![(TOKEN.to_owned(), User::system_admin())];
    let server = Server::start(api, config)?;
    let address = Address::new(server.addr(), server.authority().certificate())?;
    Ok((server, address))
}

/// The command `serve`: says where it listens in one line and serves until it is killed.
pub(crate) fn run() -> Result<()> {
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    tokio.block_on(async {
        let mut config = Config::local()?;
        config.tokens = vec![(TOKEN.to_owned(), User::system_admin())];
        let server = Server::start(api_server()?, config)?;
        let authority = server.authority().certificate();
        println!("{}", json!({"address": server.addr().to_string(), "authority": authority}));
        std::future::pending::<()>().await;
        Ok(())
    })
}

/// Starts this program as a server.
pub(crate) fn start() -> Result<(Running, Address)> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut running = Running::start(command.arg("serve"))?;
    let output = running.0.stdout.take().context("the output is piped")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let said: Value = serde_json::from_str(&line).context("the server did not start")?;
    let text = |key: &str| said[key].as_str().unwrap_or_default();
    let address = Address::new(text("address").parse()?, text("authority"))?;
    Ok((running, address))
}
