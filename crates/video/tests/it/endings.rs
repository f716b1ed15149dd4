//! How work ends before it is done.

use std::{
    fs,
    os::unix::fs::symlink,
    sync::atomic::{AtomicBool, Ordering},
};

use video::{Event, Order, Span, VideoError, transcode};

use crate::clips::{LIMITS, clip, order};

const FILM: &str = "-f lavfi -i testsrc2=s=640x360:r=30:d=20 -f lavfi -i sine=d=20 -pix_fmt yuv420p \
    -c:v libx264 -preset ultrafast -c:a aac";

#[test]
fn a_raised_flag_ends_the_work_at_the_next_picture() {
    let clip = clip("film.mp4", FILM);
    let folder = clip.room.path().join("out");
    fs::create_dir(&folder).unwrap();
    let stop = AtomicBool::new(false);
    let mut percents = Vec::new();
    let outcome = transcode(&clip.path, &folder, &order(&[360, 144]), &LIMITS, &stop, &mut |event| {
        if let Event::Progress { percent, .. } = event {
            percents.push(percent);
            stop.store(true, Ordering::Relaxed);
        }
    });
    assert_eq!(outcome.unwrap_err(), VideoError::Cancelled);
    assert!(percents.iter().all(|percent| *percent < 97), "{percents:?}");
    assert!(!folder.join("master.m3u8").exists());
}

/// A file that leads to `/dev/full` has no room for a single byte.
#[test]
fn a_full_disk_is_not_the_films_fault() {
    for full in ["360p.mp4", "144p.mp4", "audio.mp4", "film.mp4", "master.m3u8"] {
        let clip = clip("film.mp4", FILM);
        let folder = clip.room.path().join("out");
        fs::create_dir(&folder).unwrap();
        symlink("/dev/full", folder.join(full)).unwrap();
        let stop = AtomicBool::new(false);
        let order = Order { span: Some(Span { start_s: 0.0, end_s: 4.0 }), ..order(&[360, 144]) };
        let refused = transcode(&clip.path, &folder, &order, &LIMITS, &stop, &mut |_| {}).unwrap_err();
        assert!(!refused.is_permanent(), "{full}: {refused}");
        assert_eq!(refused.code(), "scratch", "{full}: {refused}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_not_the_films_fault() {
    let clip = clip("film.mp4", "-f lavfi -i testsrc2=s=64x36:r=5:d=1 -pix_fmt yuv420p -c:v libx264");
    let nowhere = clip.room.path().join("nowhere");
    let stop = AtomicBool::new(false);
    let refused = transcode(&clip.path, &nowhere, &order(&[36]), &LIMITS, &stop, &mut |_| {}).unwrap_err();
    assert!(!refused.is_permanent(), "{refused:?}");
}
