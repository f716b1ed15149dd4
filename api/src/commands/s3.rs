//! `api s3`: an S3 server on a directory. For development only: it syncs nothing to disk.

use anyhow::Context;
use blob::{Blobs, embedded};
use secrecy::ExposeSecret;
use tokio::net::TcpListener;

use super::{say, stop_signal};
use crate::config::S3ServeArgs;

pub(crate) async fn run(args: &S3ServeArgs) -> anyhow::Result<()> {
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("could not listen on {}", args.listen))?;
    let address = listener.local_addr()?;
    let mut options = args.s3.options();
    options.endpoint = Some(format!("http://{address}"));
    options.path_style = true;
    let blobs = Blobs::connect(&options)?;
    let (access, secret) = (args.s3.s3_access_key.expose_secret(), args.s3.s3_secret_key.expose_secret());
    let serving = embedded::serve(listener, &args.dir, access, secret, stop_signal());
    let ready = async {
        blobs.ensure_bucket().await?;
        say(&format!("S3 on http://{address}, bucket {}", blobs.bucket()))?;
        // Serving ends first; this only has to be there until then.
        std::future::pending::<anyhow::Result<()>>().await
    };
    tokio::select! {
        served = serving => Ok(served?),
        failed = ready => failed,
    }
}
