package explain_test

import (
	"fmt"

	"yuanlu/protocol/explain"
)

// What may identify somebody is masked; of the rest only kind and length are shown.
func Example() {
	fmt.Println(explain.Identity("6200000000000005"))
	fmt.Println(explain.Text("000032"))
	fmt.Println(explain.Kind([]byte("10000001")))
	fmt.Println(explain.Kind([]byte{0, 1, 2}))
	// Output:
	// 620000******0005
	// 000032
	// 8 digits
	// 3 bytes
}
