// A question about a picture. Usage: picture [MODEL [QUESTION [FILE]]]; without a file, about one that is drawn here.
package main

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"log"
	"os"

	"libscout/scout"
)

func check[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// drawn is a red circle and a blue square on white.
func drawn() image.Image {
	const side, half, reach = 96, 48, 18
	picture := image.NewNRGBA(image.Rect(0, 0, side, side))
	draw.Draw(picture, picture.Rect, image.NewUniform(color.NRGBA{244, 244, 244, 255}), image.Point{}, draw.Src)
	draw.Draw(picture, image.Rect(half+half/2-reach, half-reach, half+half/2+reach, half+reach), image.NewUniform(color.NRGBA{40, 70, 225, 255}),
		image.Point{}, draw.Src)
	for y := range side {
		for x := range half {
			if across, down := x-half/2, y-half; across*across+down*down <= reach*reach {
				picture.SetNRGBA(x, y, color.NRGBA{220, 30, 30, 255})
			}
		}
	}
	return picture
}

func main() {
	arguments := append(os.Args[1:], make([]string, 3)...)
	if arguments[0] == "" {
		arguments[0] = "scout-tiny"
	}
	if arguments[1] == "" {
		arguments[1] = "What is in the picture?"
	}
	ctx := context.Background()
	model := check(scout.Load(ctx, arguments[0], scout.WithVision())) // the tower that sees is loaded when it is asked for
	defer model.Close()
	engine := check(model.DefaultEngine())
	defer engine.Close()
	var picture *scout.Image
	if arguments[2] != "" {
		picture = check(scout.OpenImage(arguments[2])) // PNG, JPEG or WebP
	} else {
		picture = check(scout.ImageOf(drawn()))
	}
	defer picture.Close()
	chat := check(model.NewChat())
	defer chat.Close()
	check(0, chat.Begin(scout.User))
	check(0, chat.AddImage(picture))
	check(0, chat.AddText(arguments[1]))
	answer := check(engine.Submit(chat))
	defer answer.Close()
	for event, err := range answer.Events(ctx) {
		fmt.Print(check(event, err).Text)
	}
	fmt.Println()
}
