// sharp at its best: one decode, shrunk while it is read, then a cascade over raw pixels, with encoders side by side.
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import sharp from 'sharp';

// Every photograph is another one to a server that makes ladders; nothing of the one before may help.
sharp.cache(false);

const extension = { jpeg: 'jpg', webp: 'webp' };

const fit = (width, height, edge) => {
  const long = Math.max(width, height);
  return [width, height].map((side) => Math.max(1, Math.round((side * Math.min(edge, long)) / long)));
};

async function write(pixels, rung, format, folder) {
  const { width, height, channels } = pixels.info;
  const path = join(folder, `${rung.name}.${extension[format]}`);
  const encoder = format === 'webp' ? { quality: rung.quality, effort: 4 } : { quality: rung.quality };
  const { size } = await sharp(pixels.data, { raw: { width, height, channels } })
    .toFormat(format, encoder).toFile(path);
  return { rung: rung.name, format, width, height, bytes: size, path };
}

async function pictures({ source, folder, ladder }) {
  const { autoOrient: { width, height } } = await sharp(source).metadata();
  const rungs = ladder.rungs.toSorted((a, b) => b.long_edge_px - a.long_edge_px);
  const writing = [];
  let above;
  for (const rung of rungs) {
    const [wide, high] = fit(width, height, rung.long_edge_px);
    const from = above
      ? sharp(above.data, { raw: { width: above.info.width, height: above.info.height, channels: above.info.channels } })
      : sharp(source).autoOrient();
    above = await from.resize(wide, high, { fit: 'fill' }).raw().toBuffer({ resolveWithObject: true });
    for (const format of rung.formats) writing.push(write(above, rung, format, folder));
  }
  return { pictures: await Promise.all(writing) };
}

async function answer(line) {
  try {
    const request = JSON.parse(line);
    return request.inspect ? { picture: {} } : { pictures: await pictures(request.pictures) };
  } catch (error) {
    return { failed: { code: 'failed', message: String(error), permanent: true } };
  }
}

if (process.argv[2] === 'name') {
  console.log(`sharp ${sharp.versions.sharp}`);
} else {
  createInterface({ input: process.stdin })
    .on('line', async (line) => process.stdout.write(JSON.stringify(await answer(line)) + '\n'));
}
