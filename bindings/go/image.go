package scout

/*
#include "glue.h"
*/
import "C"

import (
	"fmt"
	"image"
	"image/draw"
	"unsafe"
)

// Image is a picture: for a question about it ([Chat.AddImage]), and for looking at what a vision model takes of it. It needs no model.
// Any number of goroutines may use it.
type Image struct{ h *handle }

// An ImageOption changes how a picture is read.
type ImageOption interface{ applyImage(*imageOptions) }

// A LoadImageOption serves [Load] and pictures.
type LoadImageOption interface {
	LoadOption
	ImageOption
}

type imageOptions struct {
	native    C.scout_image_options
	pluginDir string
}

type imageOption func(*imageOptions)

func (f imageOption) applyImage(o *imageOptions) { f(o) }

type loadImageOption struct {
	loadOption
	imageOption
}

// Alpha says what becomes of pixels that are not opaque.
type Alpha int32

// The values of Alpha.
const (
	AlphaDrop  Alpha = C.SCOUT_ALPHA_DROP  // the default: the colour as it is stored, often black where nothing shows
	AlphaWhite Alpha = C.SCOUT_ALPHA_WHITE // over white, as most people see such a picture
)

// Resize says by whose rule pictures are resized.
type Resize int32

// The values of Resize. The zero value is ResizeTorchvision.
const (
	ResizeTorchvision Resize = C.SCOUT_RESIZE_TORCHVISION // as Hugging Face
	ResizePIL         Resize = C.SCOUT_RESIZE_PIL         // as PIL before version 13: a level apart in a few pixels
)

// WithAlpha says what becomes of pixels that are not opaque.
func WithAlpha(alpha Alpha) ImageOption {
	return imageOption(func(o *imageOptions) { o.native.alpha = C.int32_t(alpha) })
}

// WithOrientation turns a picture as EXIF means by the numbers 2 to 8; 1 leaves it as it is stored, 0 turns it as its file says.
func WithOrientation(exif int) ImageOption {
	return imageOption(func(o *imageOptions) { o.native.orientation = C.int32_t(exif) })
}

// WithMaxPixels refuses a picture with more pixels before it is decoded; 0 is 134217728.
func WithMaxPixels(n uint64) ImageOption {
	return imageOption(func(o *imageOptions) { o.native.max_pixels = C.uint64_t(n) })
}

// WithMaxBytes refuses a picture's file with more bytes; 0 is 268435456.
func WithMaxBytes(n uint64) ImageOption {
	return imageOption(func(o *imageOptions) { o.native.max_bytes = C.uint64_t(n) })
}

// makeImage fills in the options and calls f with them.
func makeImage(options []ImageOption, f func(*C.scout_image_options) C.go_result) (*Image, error) {
	o := new(imageOptions)
	C.scout_image_options_init(&o.native, C.sizeof_scout_image_options)
	for _, option := range options {
		option.applyImage(o)
	}
	native := new(C.scout_image_options) // an object of its own: the text beside o.native is Go's
	*native = o.native
	if o.pluginDir != "" {
		folder, err := cString("plugin_dir", o.pluginDir)
		if err != nil {
			return nil, err
		}
		defer C.free(unsafe.Pointer(folder))
		native.plugin_dir = folder
	}
	pointer, err := made(f(native))
	if err != nil {
		return nil, err
	}
	return newImage(pointer), nil
}

func newImage(pointer unsafe.Pointer) *Image {
	return &Image{newHandle(pointer, "image", func(p unsafe.Pointer) { C.scout_image_free((*C.scout_image)(p)) }, nil)}
}

// NewImage makes a picture of pixels, which are copied: rows of samples of 8 bits, channel by channel. 1 channel is grey, 2 are grey and
// alpha, 3 are RGB, 4 are RGBA.
func NewImage(pixels []byte, width, height, channels int, options ...ImageOption) (*Image, error) {
	return NewImageStride(pixels, width, height, 0, channels, options...)
}

// NewImageStride is [NewImage] for rows that begin `stride` bytes after each other; 0 is width * channels.
func NewImageStride(pixels []byte, width, height, stride, channels int, options ...ImageOption) (*Image, error) {
	for _, given := range []struct {
		name  string
		value int
	}{{"width", width}, {"height", height}, {"stride", stride}} {
		if given.value < 0 {
			return nil, &Error{StatusArgument, fmt.Sprintf("%s is %d, must not be negative", given.name, given.value)}
		}
	}
	if int(C.int32_t(channels)) != channels {
		return nil, &Error{StatusArgument, fmt.Sprintf("channels is %d, must be 1 to 4", channels)}
	}
	return makeImage(options, func(native *C.scout_image_options) C.go_result {
		return C.go_image_from_pixels(bytesPointer(pixels), C.uint64_t(len(pixels)), C.uint64_t(width), C.uint64_t(height),
			C.uint64_t(stride), C.int32_t(channels), native)
	})
}

// ImageOf makes a picture of one of the standard library's: of *image.Gray, *image.NRGBA and opaque *image.RGBA as they are, of
// others by their colours.
func ImageOf(picture image.Image, options ...ImageOption) (*Image, error) {
	size := picture.Bounds().Size()
	switch p := picture.(type) {
	case *image.Gray:
		return NewImageStride(rowsOf(p.Pix, p.Stride, size.X, size.Y), size.X, size.Y, p.Stride, 1, options...)
	case *image.NRGBA:
		return NewImageStride(rowsOf(p.Pix, p.Stride, 4*size.X, size.Y), size.X, size.Y, p.Stride, 4, options...)
	case *image.RGBA: // its colours are multiplied by alpha
		if p.Opaque() {
			return NewImageStride(rowsOf(p.Pix, p.Stride, 4*size.X, size.Y), size.X, size.Y, p.Stride, 4, options...)
		}
	}
	plain := image.NewNRGBA(image.Rectangle{Max: size})
	draw.Draw(plain, plain.Rect, picture, picture.Bounds().Min, draw.Src)
	return NewImageStride(plain.Pix, size.X, size.Y, plain.Stride, 4, options...)
}

// rowsOf is the bytes of a picture's rows, without what lies behind the last: a part of a larger picture ends in its midst.
func rowsOf(pixels []byte, stride, row, height int) []byte {
	if height <= 0 {
		return nil
	}
	return pixels[:(height-1)*stride+row]
}

// DecodeImage makes a picture of the bytes of a PNG, JPEG or WebP file, which are not needed afterwards.
func DecodeImage(file []byte, options ...ImageOption) (*Image, error) {
	return makeImage(options, func(native *C.scout_image_options) C.go_result {
		return C.go_image_from_bytes(bytesPointer(file), C.uint64_t(len(file)), native)
	})
}

// OpenImage makes a picture of a PNG, JPEG or WebP file. Its name does not matter.
func OpenImage(path string, options ...ImageOption) (*Image, error) {
	text, err := cString("path", path)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(text))
	return makeImage(options, func(native *C.scout_image_options) C.go_result { return C.go_image_from_file(text, native) })
}

func bytesPointer(bytes []byte) *C.char { return (*C.char)(unsafe.Pointer(unsafe.SliceData(bytes))) }

// ImageInfo is what a picture is.
type ImageInfo struct {
	Width, Height int    // pixels, once turned
	Orientation   int    // EXIF's number by which it was turned; 1: it was not
	Format        string // "PNG", "JPEG", "WebP", "video" for a frame, or "pixels"
}

// Info describes the picture.
func (i *Image) Info() (ImageInfo, error) {
	n := new(C.scout_image_info)
	n.struct_size = C.sizeof_scout_image_info
	if _, err := i.h.call(func(p unsafe.Pointer) C.go_result { return C.go_image_get_info((*C.scout_image)(p), n) }); err != nil {
		return ImageInfo{}, err
	}
	return ImageInfo{int(n.width), int(n.height), int(n.orientation), C.GoString(n.format)}, nil
}

// TileOptions say how a picture is cut into tiles. What is 0 is as the released Llama 4 models take it; [Model.TileOptions] has a model's.
type TileOptions struct {
	TileSide    int    // pixels; 0 is 336
	MaxTiles    int    // of a grid; 0 is 16, 1 is always one tile
	PatchTokens int    // tokens that a tile becomes; 0 is 144
	Resize      Resize // by whose rule
	Threads     int    // 0 is as many as the process may use; they change no pixel
}

func (o TileOptions) native() (*C.scout_tile_options, error) {
	n := new(C.scout_tile_options)
	C.scout_tile_options_init(n, C.sizeof_scout_tile_options)
	for _, given := range []struct {
		name  string
		value int
		to    *C.int32_t
	}{{"tile_side", o.TileSide, &n.tile_side}, {"max_tiles", o.MaxTiles, &n.max_tiles}, {"patch_tokens", o.PatchTokens, &n.patch_tokens},
		{"resize", int(o.Resize), &n.resize}, {"threads", o.Threads, &n.threads}} {
		*given.to = C.int32_t(given.value)
		if int(*given.to) != given.value {
			return nil, &Error{StatusArgument, fmt.Sprintf("%s is %d, past 32 bits", given.name, given.value)}
		}
	}
	return n, nil
}

// TileOptions are how a model that was loaded [WithVision] wants its tiles; [ErrState] for one without vision.
func (m *Model) TileOptions() (TileOptions, error) {
	n := new(C.scout_tile_options)
	n.struct_size = C.sizeof_scout_tile_options
	if _, err := m.h.call(func(p unsafe.Pointer) C.go_result { return C.go_model_get_tile_options((*C.scout_model)(p), n) }); err != nil {
		return TileOptions{}, err
	}
	return TileOptions{int(n.tile_side), int(n.max_tiles), int(n.patch_tokens), Resize(n.resize), int(n.threads)}, nil
}

// Tiling is what a picture becomes.
type Tiling struct {
	Rows, Columns           int // of the grid
	Tiles                   int // Rows * Columns, and one more for the whole picture where that is more than one
	TileSide                int // pixels
	DrawnWidth, DrawnHeight int // pixels of the canvas that the picture covers; the rest is black
	Tokens                  int // in a prompt, with the control tokens around and between the tiles
	TileBytes               int // of one tile
}

func tilingOf(options TileOptions, f func(*C.scout_tile_options, *C.scout_tiling) (C.go_result, error)) (Tiling, error) {
	native, err := options.native()
	if err != nil {
		return Tiling{}, err
	}
	n := new(C.scout_tiling)
	n.struct_size = C.sizeof_scout_tiling
	if _, err := f(native, n); err != nil {
		return Tiling{}, err
	}
	return Tiling{int(n.rows), int(n.columns), int(n.tiles), int(n.tile_side), int(n.drawn_width), int(n.drawn_height), int(n.tokens), int(n.tile_bytes)}, nil
}

// TilingOfSize is what a picture of a size becomes, without its pixels.
func TilingOfSize(width, height int, options TileOptions) (Tiling, error) {
	if width < 0 || height < 0 {
		return Tiling{}, &Error{StatusArgument, fmt.Sprintf("the picture is %d x %d pixels, must not be negative", width, height)}
	}
	return tilingOf(options, func(native *C.scout_tile_options, n *C.scout_tiling) (C.go_result, error) {
		result := C.go_tiling_of_size(C.uint64_t(width), C.uint64_t(height), native, n)
		return result, failure(result)
	})
}

// Tiling is what the picture becomes. Nothing is computed of its pixels.
func (i *Image) Tiling(options TileOptions) (Tiling, error) {
	return tilingOf(options, func(native *C.scout_tile_options, n *C.scout_tiling) (C.go_result, error) {
		return i.h.call(func(p unsafe.Pointer) C.go_result { return C.go_image_get_tiling((*C.scout_image)(p), native, n) })
	})
}

// Tile is what a model sees of a tile: TileSide rows of TileSide pixels of red, green and blue. The grid's tiles come row by row, the whole
// picture last. All tiles are made by the first call and kept until other options ask for others.
func (i *Image) Tile(index int, options TileOptions) ([]byte, error) {
	native, err := options.native()
	if err != nil {
		return nil, err
	}
	tiling, err := i.Tiling(options)
	if err != nil {
		return nil, err
	}
	pixels := make([]byte, tiling.TileBytes)
	result, err := i.h.call(func(p unsafe.Pointer) C.go_result {
		return C.go_image_tile((*C.scout_image)(p), native, C.uint64_t(index), bytesPointer(pixels), C.uint64_t(len(pixels)))
	})
	if err != nil {
		return nil, err
	}
	return pixels[:result.number], nil
}

// TileImage is a tile as a picture of the standard library.
func (i *Image) TileImage(index int, options TileOptions) (*image.NRGBA, error) {
	pixels, err := i.Tile(index, options)
	if err != nil {
		return nil, err
	}
	tiling, err := i.Tiling(options)
	if err != nil {
		return nil, err
	}
	picture := image.NewNRGBA(image.Rect(0, 0, tiling.TileSide, tiling.TileSide))
	for at := 0; at < len(pixels)/3; at++ {
		copy(picture.Pix[4*at:], pixels[3*at:3*at+3])
		picture.Pix[4*at+3] = 255
	}
	return picture, nil
}

// Tokens are the ids that stand for the picture in a prompt of a model.
func (i *Image) Tokens(m *Model, options TileOptions) ([]int32, error) {
	native, err := options.native()
	if err != nil {
		return nil, err
	}
	model, err := m.h.enter()
	if err != nil {
		return nil, err
	}
	defer m.h.leave(model)
	return i.h.ids(func(p unsafe.Pointer, ids *C.int32_t, capacity C.uint64_t) C.go_result {
		return C.go_image_tokens((*C.scout_image)(p), (*C.scout_model)(model), native, ids, capacity)
	})
}

// Close frees the picture. It may be called twice; a chat that holds the picture keeps what it needs.
func (i *Image) Close() error {
	i.h.close()
	return nil
}
