# shellcheck shell=bash
# What ./dev bench media needs besides: those who make pictures beside us, and pictures and films to make them from.

# Into a folder of ours that git does not see. A peer that cannot be had is left out of the table, and said aloud.
fetch_media_peers() {
    local from=$ROOT/crates/bench/peers/media to=$DEV/bench/media
    mkdir -p "$to/node"
    cp "$from"/*.py "$to/"
    cp "$from"/node/*.mjs "$to/node/"
    if ! cmp -s "$from/node/package.json" "$to/node/package.json" || [[ ! -d $to/node/node_modules ]]; then
        note "npm fetches sharp (what it says goes to .dev/log/npm.log)"
        cp "$from/node/package.json" "$to/node/"
        if ! (cd "$to/node" && npm install --no-audit --no-fund --no-package-lock 9>&-) >"$LOGS/npm.log" 2>&1; then
            rm -f "$to/node/package.json"
            note "npm did not get it; it is left out"
        fi
    fi
    if ! cmp -s "$from/requirements.txt" "$to/requirements.txt" || [[ ! -d $to/venv ]]; then
        note "pip fetches Pillow and libvips (what it says goes to .dev/log/pip.log)"
        if (python3 -m venv "$to/venv" && "$to/venv/bin/pip" install -r "$from/requirements.txt" 9>&-) \
            >"$LOGS/pip.log" 2>&1; then
            cp "$from/requirements.txt" "$to/"
        else
            note "pip did not get them; they are left out"
        fi
    fi
}

# Made once, the same on every machine but for the encoders that are there: eight photographs of 24 megapixels and a
# film of 20 s, whose first 5 s are the film of a quick run.
make_media_sources() {
    local to=$DEV/bench/media/sources python=$DEV/bench/media/venv/bin/python
    mkdir -p "$to"
    [[ -x $python ]] || python=python3
    "$python" "$ROOT/crates/bench/peers/media/photographs.py" "$to" 9>&- ||
        fail $FAILED "the photographs could not be made; they need numpy and Pillow, which pip did not get" "cat .dev/log/pip.log"
    if [[ ! -f $to/film.mp4 || ! -f $to/film-short.mp4 ]]; then
        note "ffmpeg makes the film, a minute or two, once"
        make_film "$to" 9>&- || fail $FAILED "ffmpeg could not make the film; what it said is above"
    fi
}

# scene NUMBER ZOOM X Y: a photograph that a camera looks over for 5 s.
scene() {
    printf '[%s:v]trim=end_frame=1,scale=2880:1620:force_original_aspect_ratio=increase,crop=2880:1620,' "$1"
    printf "zoompan=z='%s':x='%s':y='%s':d=150:s=1920x1080:fps=30,setsar=1[v%s];" "$2" "$3" "$4" "$1"
}

make_film() {
    local to=$1 from=/usr/share/backgrounds/mate graph
    local as=(-c:v libx264 -preset veryfast -b:v 20M -maxrate 25M -bufsize 40M -g 60 -c:a aac -b:a 160k)
    graph=$(
        scene 0 '1+0.25*on/150' '(iw-iw/zoom)*on/150' '(ih-ih/zoom)/2'
        scene 1 '1.25-0.25*on/150' '(iw-iw/zoom)/2' '(ih-ih/zoom)*on/150'
        scene 2 '1.3' '(iw-iw/zoom)*(1-on/150)' '(ih-ih/zoom)/2'
        scene 3 '1+0.3*on/150' '(iw-iw/zoom)/2' '(ih-ih/zoom)/2'
        printf '[v0][v1][v2][v3]concat=n=4:v=1:a=0,noise=alls=8:allf=t:all_seed=1,format=yuv420p[v];'
        printf '[4:a][5:a]amix=inputs=2,aformat=channel_layouts=stereo[s]'
    )
    ffmpeg -nostdin -y -v error -i "$from/abstract/Elephants_5640x3172.jpg" -i "$from/nature/Wood.jpg" \
        -i "$from/nature/Garden.jpg" -i "$from/nature/LadyBird.jpg" \
        -f lavfi -t 20 -i 'sine=frequency=220:sample_rate=48000' \
        -f lavfi -t 20 -i 'anoisesrc=color=pink:amplitude=0.2:seed=1:sample_rate=48000' \
        -filter_complex "$graph" -map '[v]' -map '[s]' "${as[@]}" -t 20 "$to/film-part.mp4" &&
        ffmpeg -nostdin -y -v error -i "$to/film-part.mp4" -t 5 "${as[@]}" "$to/film-short.mp4" &&
        mv "$to/film-part.mp4" "$to/film.mp4"
}
