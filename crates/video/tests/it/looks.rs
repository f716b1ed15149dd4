//! What people see: pictures stand as players show the source, bright ones are mapped, and the sharpest is the poster.

use std::path::Path;

use crate::clips::{Clip, clip, ffmpeg, picture};

const X264: &str = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast";

/// What a player shows at the beginning, as 16 x 16 coloured dots.
fn dots(path: &Path) -> Vec<u8> {
    picture(path, 0.0, "-vf scale=16:16:flags=area -pix_fmt rgb24")
}

fn apart(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
}

#[test]
fn however_a_telephone_was_held_the_picture_stands_as_players_show_it() {
    let upright = clip("upright.mp4", &format!("-f lavfi -i testsrc2=s=320x180:r=25:d=1 {X264}"));
    for degrees in [90, 180, 270] {
        let path = upright.room.path().join(format!("turned-{degrees}.mp4"));
        // Older programs write the matrix when a stream is copied with this tag.
        let turned = format!("-i {} -c copy -metadata:s:v:0 rotate={degrees}", upright.path.display());
        ffmpeg(&turned, &path);
        let expected = dots(&path);
        assert!(apart(&expected, &dots(&upright.path)) > 25.0, "{degrees}: a turned picture is another");
        let room = tempfile::tempdir().unwrap();
        let done = Clip { room, path }.run(&[180]);
        for name in ["180p.mp4", "film.mp4"] {
            let differs = apart(&dots(&done.path(name)), &expected);
            assert!(differs < 6.0, "{name} turned by {degrees} differs by {differs}");
        }
    }
}

/// Black, as bright as paper, and ten times as bright: light of 0, 100 and 1,000 candela, as PQ writes it in ten bits.
#[test]
fn what_is_brighter_than_paper_stays_so_and_black_stays_black() {
    let bars = "nullsrc=s=192x96:r=25:d=0.4,format=yuv420p10le,geq=lum='if(lt(X,64),64,if(lt(X,128),509,723))':cb=512:cr=512";
    let film = format!(
        "-f lavfi -i {bars} -pix_fmt yuv420p10le -c:v libx265 \
         -x265-params log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
    );
    let done = clip("bright.mp4", &film).run(&[96]);
    let seen = picture(&done.path("96p.mp4"), 0.0, "-pix_fmt yuv420p");
    let [black, paper, light] = [32, 96, 160].map(|x| seen[48 * 192 + x]);
    assert!(black < 24, "{black}");
    // Untouched they would be 127 and 181: gray and dull.
    assert!((140..=180).contains(&paper), "{paper}, and {light} where it is brighter");
    assert!((205..=235).contains(&light), "{light}, and {paper} where it is as bright as paper");
    let [blue, red] = [0, 1].map(|plane| seen[192 * 96 + plane * 96 * 48 + 24 * 96 + 48]);
    assert!(blue.abs_diff(128) < 4 && red.abs_diff(128) < 4, "gray stays gray: {blue}, {red}");
}

/// How much neighbours differ.
fn sharpness(path: &Path, at_s: f64) -> f64 {
    let seen = picture(path, at_s, "-vf scale=320:180 -pix_fmt rgb24");
    let rows = seen.chunks_exact(320 * 3);
    let steps = rows.flat_map(|row| row.windows(4)).map(|dots| f64::from(dots[0].abs_diff(dots[3])));
    steps.sum::<f64>() / seen.len() as f64
}

#[test]
fn the_poster_is_of_the_sharpest_moment() {
    // In focus for two seconds of ten.
    let film = format!(
        "-f lavfi -i testsrc2=s=320x180:r=25:d=10 -vf boxblur=20:enable='not(between(t,5,7))' {X264} -crf 10"
    );
    let done = clip("film.mp4", &film).run(&[180]);
    let [blurred, sharp] = [2.0, 6.0].map(|at_s| sharpness(&done.path("film.mp4"), at_s));
    let poster = sharpness(&done.path("poster.jpg"), 0.0);
    assert!(sharp > 1.5 * blurred, "{sharp} and {blurred}");
    assert!((poster / sharp - 1.0).abs() < 0.25, "{poster}, and {sharp} where it is in focus");
}
