package scout

import (
	"strconv"
	"strings"
	"testing"
)

// Behaviours of pictures, which are made of numbers.

func imageOptionsOf(given map[string]any) []ImageOption {
	var options []ImageOption
	for name, value := range given {
		switch name {
		case "alpha":
			options = append(options, WithAlpha(Alpha(number(value))))
		case "orientation":
			options = append(options, WithOrientation(int(number(value))))
		case "max_pixels":
			options = append(options, WithMaxPixels(uint64(number(value))))
		case "max_bytes":
			options = append(options, WithMaxBytes(uint64(number(value))))
		default:
			panic("image option " + name)
		}
	}
	return options
}

func tileOptionsOf(given map[string]any) (options TileOptions) {
	for name, value := range given {
		switch n := int(number(value)); name {
		case "tile_side":
			options.TileSide = n
		case "max_tiles":
			options.MaxTiles = n
		case "patch_tokens":
			options.PatchTokens = n
		case "resize":
			options.Resize = Resize(n)
		case "threads":
			options.Threads = n
		default:
			panic("tile option " + name)
		}
	}
	return options
}

// samples are the high bytes of a linear congruential generator.
func samples(count int, seed uint32) []byte {
	made := make([]byte, count)
	for i := range made {
		seed = seed*1664525 + 1013904223
		made[i] = byte(seed >> 24)
	}
	return made
}

func imageOf(picture []int, options ...ImageOption) (*Image, error) {
	return NewImage(samples(picture[0]*picture[1]*picture[2], uint32(picture[3])), picture[0], picture[1], picture[2], options...)
}

func checksumOf(data []byte) int {
	sum := uint32(2166136261)
	for _, b := range data {
		sum = (sum ^ uint32(b)) * 16777619
	}
	return int(sum & 0x7fffffff)
}

func gridOf(t Tiling) []int {
	return []int{t.Rows, t.Columns, t.Tiles, t.DrawnWidth, t.DrawnHeight, t.Tokens}
}

func seeingTiny(t *testing.T) *Model { return loadTiny(t, WithVision()) }

func init() {
	kinds["image"] = func(t *testing.T, _ *Model, c suiteCase) {
		image := ok[*Image](t)(imageOf(c.Picture, imageOptionsOf(c.ImageOption)...))
		defer image.Close()
		info := ok[ImageInfo](t)(image.Info())
		same(t, "info", c.Info, []int{info.Width, info.Height, info.Orientation})
		same(t, "format", c.Format, info.Format)
		options := tileOptionsOf(c.TileOption)
		tiling := ok[Tiling](t)(image.Tiling(options))
		same(t, "grid", c.Grid, gridOf(tiling))
		same(t, "tiles", len(c.Checksums), tiling.Tiles)
		for index, expected := range c.Checksums {
			tile := ok[[]byte](t)(image.Tile(index, options))
			same(t, "bytes", tiling.TileBytes, len(tile))
			same(t, "checksum", expected, checksumOf(tile))
		}
	}
	kinds["tiling"] = func(t *testing.T, _ *Model, c suiteCase) {
		same(t, "grid", c.Grid, gridOf(ok[Tiling](t)(TilingOfSize(c.Size[0], c.Size[1], tileOptionsOf(c.TileOption)))))
	}
	kinds["image_tokens"] = func(t *testing.T, model *Model, c suiteCase) {
		image := ok[*Image](t)(imageOf(c.Picture))
		defer image.Close()
		same(t, "ids", c.IDs, ok[[]int32](t)(image.Tokens(model, tileOptionsOf(c.TileOption))))
	}
	kinds["chat_image"] = func(t *testing.T, _ *Model, c suiteCase) {
		model := seeingTiny(t)
		defer model.Close()
		chat := ok[*Chat](t)(model.NewChat())
		defer chat.Close()
		err := chat.Begin(User)
		for _, part := range c.Part {
			if err != nil {
				break
			}
			if part[0] == "text" {
				err = chat.AddText(unescape(part[1]))
				continue
			}
			var picture []int
			for _, word := range strings.Fields(part[1]) {
				picture = append(picture, ok[int](t)(strconv.Atoi(word)))
			}
			image := ok[*Image](t)(imageOf(picture))
			err = chat.AddImage(image)
			image.Close() // the chat keeps what it needs
		}
		if c.Status != nil {
			fails(t, statusOf(t, c), unescape(c.Names), err)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		same(t, "prompt_ids", c.PromptIDs, ok[[]int32](t)(chat.Tokens()))
	}
	kinds["error_image"] = func(t *testing.T, model *Model, c suiteCase) {
		var err error
		switch c.Call {
		case "pixels":
			pixels := samples(c.Picture[0]*c.Picture[1]*c.Picture[2], uint32(c.Picture[3]))
			if c.Count != 0 {
				pixels = pixels[:c.Count]
			}
			_, err = NewImageStride(pixels, c.Picture[0], c.Picture[1], c.Stride, c.Picture[2], imageOptionsOf(c.ImageOption)...)
		case "bytes":
			_, err = DecodeImage([]byte(unescape(c.Bytes)), imageOptionsOf(c.ImageOption)...)
		case "file":
			_, err = OpenImage(c.Path)
		case "tiling":
			_, err = TilingOfSize(c.Size[0], c.Size[1], tileOptionsOf(c.TileOption))
		case "tile", "closed", "chat":
			image := ok[*Image](t)(imageOf(c.Picture))
			defer image.Close()
			switch c.Call {
			case "tile":
				_, err = image.Tile(c.Index, TileOptions{})
			case "closed":
				image.Close()
				_, err = image.Tiling(TileOptions{})
			default:
				chat := ok[*Chat](t)(model.NewChat())
				defer chat.Close()
				ok[int](t)(0, chat.Begin(User))
				err = chat.AddImage(image)
			}
		default:
			t.Fatalf("unknown call %s", c.Call)
		}
		fails(t, statusOf(t, c), unescape(c.Names), err)
	}
}
