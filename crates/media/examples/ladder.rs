//! Renders one file's ladder into a folder and prints what it cost: `ladder <file> <folder> [--avif]`.
#![expect(clippy::print_stdout, reason = "an example reports on its standard output")]

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use media::{Format, Ladder, Limits, Rung, render};

const LIMITS: Limits = Limits {
    bytes_max: 200 << 20,
    side_px_max: 30_000,
    pixels_max: 150_000_000,
    alloc_bytes_max: 1 << 30,
    jpeg_scans_max: 100,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args_os().skip(1);
    let (Some(file), Some(folder)) = (args.next(), args.next().map(PathBuf::from)) else {
        return Err("usage: ladder <file> <folder> [--avif]".into());
    };
    let mut formats = vec![Format::Jpeg, Format::WebP];
    if args.next().is_some_and(|flag| flag == "--avif") {
        formats.push(Format::Avif);
    }
    let rung = |name: &str, long_edge_px| Rung {
        name: name.to_owned(),
        long_edge_px,
        formats: formats.clone(),
        quality: 80,
    };
    let rungs = vec![
        rung("thumb_320", 320),
        rung("grid_640", 640),
        rung("screen_1600", 1600),
        rung("mls_2048", 2048),
    ];

    let source = std::fs::read(file)?;
    std::fs::create_dir_all(&folder)?;
    let started = Instant::now();
    let mut last = started;
    let mut report = |percent: u8, message: &str| {
        println!("{percent:>3}%  {:>7.1} ms  {message}", last.elapsed().as_secs_f64() * 1000.0);
        last = Instant::now();
    };
    let rendered =
        render(&source, &Ladder { rungs, crop: None }, None, &LIMITS, &AtomicBool::new(false), &mut report)?;
    let wall = started.elapsed();

    println!("{:?}", rendered.probe);
    if let Some(complaint) = &rendered.degraded {
        println!("degraded: {complaint}");
    }
    for output in &rendered.outputs {
        let name = format!("{}.{}", output.rung, output.format.extension());
        println!("{name:<20} {:>5} x {:<5} {:>8} bytes", output.width, output.height, output.bytes.len());
        std::fs::write(folder.join(name), &output.bytes)?;
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or(" unknown");
    println!(
        "wall {:.3} s, peak memory{}",
        wall.as_secs_f64(),
        peak.split_whitespace().fold(String::new(), |all, word| all + " " + word)
    );
    Ok(())
}
