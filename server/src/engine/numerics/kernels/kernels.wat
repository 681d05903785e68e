;; SIMD twins of the quantizer in affine.ts. Everything works on channel-major blocks: `rows` channels of
;; `len` float32 elements each, one after the other. A row is cut into groups (a whole row is one group where a scale
;; serves the channel or the tensor); the last group of a row may be shorter.
;;
;; Exactness: scale = max|x| / qmax and code = nearest(x / scale) are float32 operations, so they are those of the
;; reference. The error loop multiplies by 1 / scale instead, which is twice as fast and can only choose another code
;; next to a tie; a stretch in which any error comes that close to scale / 2 is computed again with the division.
;; Asymmetric codes, whose ends may clip, are always computed with the division.
;;
;; Built by scripts/build-kernels.mjs into binary.ts.
(module
  (import "host" "memory" (memory 1))

  ;; Lanes that a rest of 1, 2 or 3 elements uses.
  (func $mask (param $rest i32) (result v128)
    (i32x4.gt_s (i32x4.splat (local.get $rest)) (v128.const i32x4 0 1 2 3)))

  (func $sum (param $lanes v128) (result f64)
    (local $pair v128)
    (local.set $pair
      (f64x2.add
        (f64x2.promote_low_f32x4 (local.get $lanes))
        (f64x2.promote_low_f32x4 (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $lanes) (local.get $lanes)))))
    (f64.add (f64x2.extract_lane 0 (local.get $pair)) (f64x2.extract_lane 1 (local.get $pair))))

  ;; Largest bit pattern of |x|: finite < infinity < NaN, and the order of numbers below.
  (func $largest (param $p i32) (param $n i32) (result i32)
    (local $end i32) (local $a v128) (local $b v128) (local $positive v128)
    (local.set $positive (v128.const i32x4 0x7fffffff 0x7fffffff 0x7fffffff 0x7fffffff))
    (local.set $end (i32.add (local.get $p) (i32.shl (i32.and (local.get $n) (i32.const -8)) (i32.const 2))))
    (block $done
      (loop $pairs
        (br_if $done (i32.ge_u (local.get $p) (local.get $end)))
        (local.set $a (i32x4.max_s (local.get $a) (v128.and (v128.load (local.get $p)) (local.get $positive))))
        (local.set $b (i32x4.max_s (local.get $b) (v128.and (v128.load offset=16 (local.get $p)) (local.get $positive))))
        (local.set $p (i32.add (local.get $p) (i32.const 32)))
        (br $pairs)))
    (if (i32.and (local.get $n) (i32.const 4))
      (then
        (local.set $a (i32x4.max_s (local.get $a) (v128.and (v128.load (local.get $p)) (local.get $positive))))
        (local.set $p (i32.add (local.get $p) (i32.const 16)))))
    (if (i32.and (local.get $n) (i32.const 3))
      (then
        (local.set $b
          (i32x4.max_s
            (local.get $b)
            (v128.and
              (v128.and (v128.load (local.get $p)) (call $mask (i32.and (local.get $n) (i32.const 3))))
              (local.get $positive))))))
    (local.set $a (i32x4.max_s (local.get $a) (local.get $b)))
    (local.set $a
      (i32x4.max_s (local.get $a) (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $a) (local.get $a))))
    (local.set $a
      (i32x4.max_s (local.get $a) (i8x16.shuffle 4 5 6 7 0 1 2 3 12 13 14 15 8 9 10 11 (local.get $a) (local.get $a))))
    (i32x4.extract_lane 0 (local.get $a)))

  ;; out[group] = max(out[group], max|x| over the group) as float32 bits, groups of all rows in order.
  (func (export "absMax") (param $p i32) (param $len i32) (param $rows i32) (param $group i32) (param $out i32)
    (local $left i32) (local $n i32) (local $found i32)
    (block $done
      (loop $row
        (br_if $done (i32.eqz (local.get $rows)))
        (local.set $left (local.get $len))
        (loop $groups
          (local.set $n (select (local.get $left) (local.get $group) (i32.lt_u (local.get $left) (local.get $group))))
          (local.set $found (call $largest (local.get $p) (local.get $n)))
          (if (i32.gt_u (local.get $found) (i32.load (local.get $out)))
            (then (i32.store (local.get $out) (local.get $found))))
          (local.set $out (i32.add (local.get $out) (i32.const 4)))
          (local.set $p (i32.add (local.get $p) (i32.shl (local.get $n) (i32.const 2))))
          (br_if $groups (local.tee $left (i32.sub (local.get $left) (local.get $n)))))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
        (br $row))))

  ;; out[column] = max(out[column], max|x| over the column) of a row-major block, as float32 bits.
  (func (export "absMaxColumns") (param $p i32) (param $rows i32) (param $columns i32) (param $out i32)
    (local $q i32) (local $end i32) (local $vectors i32) (local $x i32) (local $positive v128)
    (local.set $positive (v128.const i32x4 0x7fffffff 0x7fffffff 0x7fffffff 0x7fffffff))
    (local.set $vectors (i32.add (local.get $out) (i32.shl (i32.and (local.get $columns) (i32.const -4)) (i32.const 2))))
    (local.set $end (i32.add (local.get $out) (i32.shl (local.get $columns) (i32.const 2))))
    (block $done
      (loop $row
        (br_if $done (i32.eqz (local.get $rows)))
        (local.set $q (local.get $out))
        (block $full
          (loop $vector
            (br_if $full (i32.ge_u (local.get $q) (local.get $vectors)))
            (v128.store
              (local.get $q)
              (i32x4.max_s (v128.load (local.get $q)) (v128.and (v128.load (local.get $p)) (local.get $positive))))
            (local.set $q (i32.add (local.get $q) (i32.const 16)))
            (local.set $p (i32.add (local.get $p) (i32.const 16)))
            (br $vector)))
        (block $rest
          (loop $single
            (br_if $rest (i32.ge_u (local.get $q) (local.get $end)))
            (local.set $x (i32.and (i32.load (local.get $p)) (i32.const 0x7fffffff)))
            (if (i32.gt_u (local.get $x) (i32.load (local.get $q)))
              (then (i32.store (local.get $q) (local.get $x))))
            (local.set $q (i32.add (local.get $q) (i32.const 4)))
            (local.set $p (i32.add (local.get $p) (i32.const 4)))
            (br $single)))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
        (br $row))))

  ;; Transposes 4 × 4 elements between rows `stride` and rows `pitch` bytes apart.
  (func $square (param $p i32) (param $stride i32) (param $q i32) (param $pitch i32)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128) (local $e v128) (local $f v128)
    (local.set $a (v128.load (local.get $p)))
    (local.set $b (v128.load (local.tee $p (i32.add (local.get $p) (local.get $stride)))))
    (local.set $c (v128.load (local.tee $p (i32.add (local.get $p) (local.get $stride)))))
    (local.set $d (v128.load (i32.add (local.get $p) (local.get $stride))))
    (local.set $e (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $a) (local.get $b)))
    (local.set $f (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $c) (local.get $d)))
    (local.set $a (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $a) (local.get $b)))
    (local.set $c (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $c) (local.get $d)))
    (v128.store (local.get $q)
      (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $e) (local.get $f)))
    (v128.store (local.tee $q (i32.add (local.get $q) (local.get $pitch)))
      (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $e) (local.get $f)))
    (v128.store (local.tee $q (i32.add (local.get $q) (local.get $pitch)))
      (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $a) (local.get $c)))
    (v128.store (i32.add (local.get $q) (local.get $pitch))
      (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $a) (local.get $c))))

  ;; to[column][row] = from[row][column], rows of `from` being `stride` bytes apart. Goes down strips of 16 columns, one
  ;; cache line, because the rows of a large weight often lie a power of two apart and evict each other.
  (func (export "transpose") (param $from i32) (param $stride i32) (param $rows i32) (param $columns i32) (param $to i32)
    (local $row i32) (local $column i32) (local $last i32) (local $c i32) (local $pitch i32)
    (local.set $pitch (i32.shl (local.get $rows) (i32.const 2)))
    (block $done
      (loop $strip
        (br_if $done (i32.ge_u (local.get $column) (local.get $columns)))
        (local.set $last (i32.add (local.get $column) (i32.const 16)))
        (if (i32.gt_u (local.get $last) (local.get $columns)) (then (local.set $last (local.get $columns))))
        (local.set $row (i32.const 0))
        (block $bottom
          (loop $down
            (br_if $bottom (i32.ge_u (local.get $row) (local.get $rows)))
            (local.set $c (local.get $column))
            (if (i32.le_u (i32.add (local.get $row) (i32.const 4)) (local.get $rows))
              (then
                (block $full
                  (loop $squares
                    (br_if $full (i32.gt_u (i32.add (local.get $c) (i32.const 4)) (local.get $last)))
                    (call $square
                      (i32.add
                        (local.get $from)
                        (i32.add (i32.mul (local.get $row) (local.get $stride)) (i32.shl (local.get $c) (i32.const 2))))
                      (local.get $stride)
                      (i32.add
                        (local.get $to)
                        (i32.add (i32.mul (local.get $c) (local.get $pitch)) (i32.shl (local.get $row) (i32.const 2))))
                      (local.get $pitch))
                    (local.set $c (i32.add (local.get $c) (i32.const 4)))
                    (br $squares)))
                ;; The columns beyond the last square.
                (block $right
                  (loop $column4
                    (br_if $right (i32.ge_u (local.get $c) (local.get $last)))
                    (call $copy (local.get $from) (local.get $stride) (local.get $to) (local.get $pitch)
                      (local.get $row) (i32.add (local.get $row) (i32.const 4)) (local.get $c))
                    (local.set $c (i32.add (local.get $c) (i32.const 1)))
                    (br $column4)))
                (local.set $row (i32.add (local.get $row) (i32.const 4))))
              (else
                (loop $columnRest
                  (call $copy (local.get $from) (local.get $stride) (local.get $to) (local.get $pitch)
                    (local.get $row) (local.get $rows) (local.get $c))
                  (br_if $columnRest (i32.lt_u (local.tee $c (i32.add (local.get $c) (i32.const 1))) (local.get $last))))
                (local.set $row (local.get $rows))))
            (br $down)))
        (local.set $column (local.get $last))
        (br $strip))))

  ;; to[column][row … end) = from[row … end)[column].
  (func $copy
    (param $from i32) (param $stride i32) (param $to i32) (param $pitch i32) (param $row i32) (param $end i32) (param $column i32)
    (local.set $from
      (i32.add
        (local.get $from)
        (i32.add (i32.mul (local.get $row) (local.get $stride)) (i32.shl (local.get $column) (i32.const 2)))))
    (local.set $to
      (i32.add
        (local.get $to)
        (i32.add (i32.mul (local.get $column) (local.get $pitch)) (i32.shl (local.get $row) (i32.const 2)))))
    (loop $element
      (i32.store (local.get $to) (i32.load (local.get $from)))
      (local.set $from (i32.add (local.get $from) (local.get $stride)))
      (local.set $to (i32.add (local.get $to) (i32.const 4)))
      (br_if $element (i32.lt_u (local.tee $row (i32.add (local.get $row) (i32.const 1))) (local.get $end)))))

  ;; Sums of t, t², t³, t⁴ with t = x · factor, and the extremes of x. signal[row] += Σt²; powers[0..3] += the sums;
  ;; extremes = {min, max} in float32.
  (func (export "moments")
    (param $p i32) (param $len i32) (param $rows i32) (param $factor f32) (param $signal i32) (param $powers i32) (param $extremes i32)
    (local $scale v128) (local $t v128) (local $x v128) (local $square v128)
    (local $one v128) (local $two v128) (local $three v128) (local $four v128) (local $low v128) (local $high v128)
    (local $one2 v128) (local $two2 v128) (local $three2 v128) (local $four2 v128) (local $t2 v128) (local $square2 v128)
    (local $left i32) (local $n i32) (local $end i32) (local $part f64)
    (local.set $scale (f32x4.splat (local.get $factor)))
    (local.set $low (v128.load32_splat (local.get $extremes)))
    (local.set $high (v128.load32_splat offset=4 (local.get $extremes)))
    (block $done
      (loop $row
        (br_if $done (i32.eqz (local.get $rows)))
        (local.set $left (local.get $len))
        (loop $stretch
          ;; Stretches are short enough for float32 sums.
          (local.set $n (select (local.get $left) (i32.const 1024) (i32.lt_u (local.get $left) (i32.const 1024))))
          (local.set $left (i32.sub (local.get $left) (local.get $n)))
          (local.set $one (v128.const i32x4 0 0 0 0))
          (local.set $two (v128.const i32x4 0 0 0 0))
          (local.set $three (v128.const i32x4 0 0 0 0))
          (local.set $four (v128.const i32x4 0 0 0 0))
          (local.set $end (i32.add (local.get $p) (i32.shl (local.get $n) (i32.const 2))))
          (local.set $one2 (v128.const i32x4 0 0 0 0))
          (local.set $two2 (v128.const i32x4 0 0 0 0))
          (local.set $three2 (v128.const i32x4 0 0 0 0))
          (local.set $four2 (v128.const i32x4 0 0 0 0))
          ;; Two vectors at a time, because each sum waits for its own previous addition.
          (block $paired
            (loop $pairs
              (br_if $paired (i32.gt_u (i32.add (local.get $p) (i32.const 32)) (local.get $end)))
              (local.set $t (v128.load (local.get $p)))
              (local.set $t2 (v128.load offset=16 (local.get $p)))
              (local.set $p (i32.add (local.get $p) (i32.const 32)))
              (local.set $low (f32x4.pmin (f32x4.pmin (local.get $t) (local.get $t2)) (local.get $low)))
              (local.set $high (f32x4.pmax (f32x4.pmax (local.get $t) (local.get $t2)) (local.get $high)))
              (local.set $t (f32x4.mul (local.get $t) (local.get $scale)))
              (local.set $t2 (f32x4.mul (local.get $t2) (local.get $scale)))
              (local.set $square (f32x4.mul (local.get $t) (local.get $t)))
              (local.set $square2 (f32x4.mul (local.get $t2) (local.get $t2)))
              (local.set $one (f32x4.add (local.get $one) (local.get $t)))
              (local.set $one2 (f32x4.add (local.get $one2) (local.get $t2)))
              (local.set $two (f32x4.add (local.get $two) (local.get $square)))
              (local.set $two2 (f32x4.add (local.get $two2) (local.get $square2)))
              (local.set $three (f32x4.add (local.get $three) (f32x4.mul (local.get $square) (local.get $t))))
              (local.set $three2 (f32x4.add (local.get $three2) (f32x4.mul (local.get $square2) (local.get $t2))))
              (local.set $four (f32x4.add (local.get $four) (f32x4.mul (local.get $square) (local.get $square))))
              (local.set $four2 (f32x4.add (local.get $four2) (f32x4.mul (local.get $square2) (local.get $square2))))
              (br $pairs)))
          (local.set $one (f32x4.add (local.get $one) (local.get $one2)))
          (local.set $two (f32x4.add (local.get $two) (local.get $two2)))
          (local.set $three (f32x4.add (local.get $three) (local.get $three2)))
          (local.set $four (f32x4.add (local.get $four) (local.get $four2)))
          (block $summed
            (loop $vector
              (br_if $summed (i32.ge_u (local.get $p) (local.get $end)))
              (local.set $x (v128.load (local.get $p)))
              (local.set $p (i32.add (local.get $p) (i32.const 16)))
              (if (i32.gt_u (local.get $p) (local.get $end))
                (then
                  ;; A zero is no new extreme unless it stands in for lanes that do not exist: repeat the first lane.
                  (local.set $t (call $mask (i32.and (local.get $n) (i32.const 3))))
                  (local.set $x
                    (v128.bitselect
                      (local.get $x)
                      (i8x16.shuffle 0 1 2 3 0 1 2 3 0 1 2 3 0 1 2 3 (local.get $x) (local.get $x))
                      (local.get $t)))
                  (local.set $low (f32x4.pmin (local.get $low) (local.get $x)))
                  (local.set $high (f32x4.pmax (local.get $high) (local.get $x)))
                  (local.set $x (v128.and (local.get $x) (local.get $t))))
                (else
                  (local.set $low (f32x4.pmin (local.get $low) (local.get $x)))
                  (local.set $high (f32x4.pmax (local.get $high) (local.get $x)))))
              (local.set $t (f32x4.mul (local.get $x) (local.get $scale)))
              (local.set $square (f32x4.mul (local.get $t) (local.get $t)))
              (local.set $one (f32x4.add (local.get $one) (local.get $t)))
              (local.set $two (f32x4.add (local.get $two) (local.get $square)))
              (local.set $three (f32x4.add (local.get $three) (f32x4.mul (local.get $square) (local.get $t))))
              (local.set $four (f32x4.add (local.get $four) (f32x4.mul (local.get $square) (local.get $square))))
              (br $vector)))
          (local.set $p (local.get $end))
          (local.set $part (call $sum (local.get $two)))
          (f64.store (local.get $signal) (f64.add (f64.load (local.get $signal)) (local.get $part)))
          (f64.store offset=8 (local.get $powers) (f64.add (f64.load offset=8 (local.get $powers)) (local.get $part)))
          (f64.store (local.get $powers) (f64.add (f64.load (local.get $powers)) (call $sum (local.get $one))))
          (f64.store offset=16 (local.get $powers) (f64.add (f64.load offset=16 (local.get $powers)) (call $sum (local.get $three))))
          (f64.store offset=24 (local.get $powers) (f64.add (f64.load offset=24 (local.get $powers)) (call $sum (local.get $four))))
          (br_if $stretch (local.get $left)))
        (local.set $signal (i32.add (local.get $signal) (i32.const 8)))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
        (br $row)))
    (f32.store (local.get $extremes)
      (f32.min
        (f32.min (f32x4.extract_lane 0 (local.get $low)) (f32x4.extract_lane 1 (local.get $low)))
        (f32.min (f32x4.extract_lane 2 (local.get $low)) (f32x4.extract_lane 3 (local.get $low)))))
    (f32.store offset=4 (local.get $extremes)
      (f32.max
        (f32.max (f32x4.extract_lane 0 (local.get $high)) (f32x4.extract_lane 1 (local.get $high)))
        (f32.max (f32x4.extract_lane 2 (local.get $high)) (f32x4.extract_lane 3 (local.get $high))))))

  ;; Squared errors of up to 512 elements under one scale, by division: the definition.
  (func $exact (param $p i32) (param $n i32) (param $scale v128) (result v128)
    (local $end i32) (local $x v128) (local $e v128) (local $sum v128)
    (local.set $end (i32.add (local.get $p) (i32.shl (local.get $n) (i32.const 2))))
    (loop $vector
      (local.set $x (v128.load (local.get $p)))
      (local.set $p (i32.add (local.get $p) (i32.const 16)))
      (if (i32.gt_u (local.get $p) (local.get $end))
        (then (local.set $x (v128.and (local.get $x) (call $mask (i32.and (local.get $n) (i32.const 3)))))))
      (local.set $e
        (f32x4.sub
          (local.get $x)
          (f32x4.mul (f32x4.nearest (f32x4.div (local.get $x) (local.get $scale))) (local.get $scale))))
      (local.set $sum (f32x4.add (local.get $sum) (f32x4.mul (local.get $e) (local.get $e))))
      (br_if $vector (i32.lt_u (local.get $p) (local.get $end))))
    (local.get $sum))

  ;; The same with a multiplication; `limit` is the square of the smallest error that may hide another code.
  (func $squares (param $p i32) (param $n i32) (param $scale v128) (param $inverse v128) (param $limit v128) (result v128)
    (local $start i32) (local $end i32) (local $x v128) (local $y v128) (local $a v128) (local $b v128) (local $worst v128)
    (local.set $start (local.get $p))
    (local.set $end (i32.add (local.get $p) (i32.shl (i32.and (local.get $n) (i32.const -8)) (i32.const 2))))
    (if (i32.lt_u (local.get $p) (local.get $end))
      (then
        (loop $pairs
          (local.set $x (v128.load (local.get $p)))
          (local.set $y (v128.load offset=16 (local.get $p)))
          (local.set $x
            (f32x4.sub
              (local.get $x)
              (f32x4.mul (f32x4.nearest (f32x4.mul (local.get $x) (local.get $inverse))) (local.get $scale))))
          (local.set $y
            (f32x4.sub
              (local.get $y)
              (f32x4.mul (f32x4.nearest (f32x4.mul (local.get $y) (local.get $inverse))) (local.get $scale))))
          (local.set $x (f32x4.mul (local.get $x) (local.get $x)))
          (local.set $y (f32x4.mul (local.get $y) (local.get $y)))
          (local.set $a (f32x4.add (local.get $a) (local.get $x)))
          (local.set $b (f32x4.add (local.get $b) (local.get $y)))
          (local.set $worst (f32x4.pmax (local.get $worst) (f32x4.pmax (local.get $x) (local.get $y))))
          (br_if $pairs (i32.lt_u (local.tee $p (i32.add (local.get $p) (i32.const 32))) (local.get $end))))))
    (if (v128.any_true (f32x4.gt (local.get $worst) (local.get $limit)))
      (then (return (call $exact (local.get $start) (local.get $n) (local.get $scale)))))
    (local.set $a (f32x4.add (local.get $a) (local.get $b)))
    ;; The rest of fewer than 8 elements is not worth a shortcut.
    (if (i32.and (local.get $n) (i32.const 7))
      (then
        (local.set $a
          (f32x4.add (local.get $a) (call $exact (local.get $p) (i32.and (local.get $n) (i32.const 7)) (local.get $scale))))))
    (local.get $a))

  ;; noise[row] += Σ(x − code · scale)² with scale = max|x| / qmax of the group. `absMax` advances by `perGroup` bytes
  ;; a group and by `perRow` a row: 4 and 0 for groups, 0 and 4 for channels, 0 and 0 for the tensor.
  ;; `margin` = 0.5 minus what float32 may be wrong by in x · (1 / scale), in steps.
  (func (export "errors")
    (param $p i32) (param $len i32) (param $rows i32) (param $group i32)
    (param $absMax i32) (param $perGroup i32) (param $perRow i32) (param $qmax f32) (param $margin f32) (param $noise i32)
    (local $left i32) (local $n i32) (local $most i32) (local $stretch i32) (local $scale f32) (local $limit f32)
    (local $scales v128) (local $inverse v128) (local $limits v128) (local $part f64)
    (block $done
      (loop $row
        (br_if $done (i32.eqz (local.get $rows)))
        (local.set $left (local.get $len))
        (local.set $part (f64.const 0))
        (loop $groups
          (local.set $n (select (local.get $left) (local.get $group) (i32.lt_u (local.get $left) (local.get $group))))
          (local.set $left (i32.sub (local.get $left) (local.get $n)))
          (local.set $scale
            (f32.max (f32.div (f32.load (local.get $absMax)) (local.get $qmax)) (f32.const 0x1p-126)))
          (local.set $limit (f32.mul (local.get $scale) (local.get $margin)))
          (local.set $scales (f32x4.splat (local.get $scale)))
          (local.set $inverse (f32x4.splat (f32.div (f32.const 1) (local.get $scale))))
          (local.set $limits (f32x4.splat (f32.mul (local.get $limit) (local.get $limit))))
          (loop $stretches
            (local.set $most (select (local.get $n) (i32.const 512) (i32.lt_u (local.get $n) (i32.const 512))))
            (local.set $part
              (f64.add
                (local.get $part)
                (call $sum
                  (call $squares (local.get $p) (local.get $most) (local.get $scales) (local.get $inverse) (local.get $limits)))))
            (local.set $p (i32.add (local.get $p) (i32.shl (local.get $most) (i32.const 2))))
            (br_if $stretches (local.tee $n (i32.sub (local.get $n) (local.get $most)))))
          (local.set $absMax (i32.add (local.get $absMax) (local.get $perGroup)))
          (br_if $groups (local.get $left)))
        (local.set $absMax (i32.add (local.get $absMax) (local.get $perRow)))
        (f64.store (local.get $noise) (f64.add (f64.load (local.get $noise)) (local.get $part)))
        (local.set $noise (i32.add (local.get $noise) (i32.const 8)))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
        (br $row))))

  ;; out[2g], out[2g + 1] = the least and the largest of group g and of what stands there before (0 at first, so that
  ;; every range holds it), groups of all rows in order. Values are finite.
  (func (export "extremes") (param $p i32) (param $len i32) (param $rows i32) (param $group i32) (param $out i32)
    (local $left i32) (local $n i32) (local $end i32) (local $x v128) (local $low v128) (local $high v128)
    (block $done
      (loop $row
        (br_if $done (i32.eqz (local.get $rows)))
        (local.set $left (local.get $len))
        (loop $groups
          (local.set $n (select (local.get $left) (local.get $group) (i32.lt_u (local.get $left) (local.get $group))))
          (local.set $left (i32.sub (local.get $left) (local.get $n)))
          (local.set $low (v128.load32_splat (local.get $out)))
          (local.set $high (v128.load32_splat offset=4 (local.get $out)))
          (local.set $end (i32.add (local.get $p) (i32.shl (local.get $n) (i32.const 2))))
          (loop $vector
            (local.set $x (v128.load (local.get $p)))
            (local.set $p (i32.add (local.get $p) (i32.const 16)))
            ;; Zeros in the lanes that do not exist change nothing, since every range holds 0.
            (if (i32.gt_u (local.get $p) (local.get $end))
              (then (local.set $x (v128.and (local.get $x) (call $mask (i32.and (local.get $n) (i32.const 3)))))))
            (local.set $low (f32x4.pmin (local.get $x) (local.get $low)))
            (local.set $high (f32x4.pmax (local.get $x) (local.get $high)))
            (br_if $vector (i32.lt_u (local.get $p) (local.get $end))))
          (local.set $p (local.get $end))
          (f32.store (local.get $out)
            (f32.min
              (f32.min (f32x4.extract_lane 0 (local.get $low)) (f32x4.extract_lane 1 (local.get $low)))
              (f32.min (f32x4.extract_lane 2 (local.get $low)) (f32x4.extract_lane 3 (local.get $low)))))
          (f32.store offset=4 (local.get $out)
            (f32.max
              (f32.max (f32x4.extract_lane 0 (local.get $high)) (f32x4.extract_lane 1 (local.get $high)))
              (f32.max (f32x4.extract_lane 2 (local.get $high)) (f32x4.extract_lane 3 (local.get $high)))))
          (local.set $out (i32.add (local.get $out) (i32.const 8)))
          (br_if $groups (local.get $left)))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
        (br $row))))

  ;; noise[row] += Σ(x − level · scale)² with level = x / scale, rounded and clamped to what the codes reach. `quantizers`
  ;; holds {scale, lowest level, highest level, unused} per scope and advances by `perGroup` and `perRow` bytes.
  (func (export "affineErrors")
    (param $p i32) (param $len i32) (param $rows i32) (param $group i32)
    (param $quantizers i32) (param $perGroup i32) (param $perRow i32) (param $noise i32)
    (local $left i32) (local $n i32) (local $most i32) (local $end i32) (local $x v128) (local $sum v128)
    (local $scale v128) (local $lowest v128) (local $highest v128) (local $part f64)
    (block $done
      (loop $row
        (br_if $done (i32.eqz (local.get $rows)))
        (local.set $left (local.get $len))
        (local.set $part (f64.const 0))
        (loop $groups
          (local.set $n (select (local.get $left) (local.get $group) (i32.lt_u (local.get $left) (local.get $group))))
          (local.set $left (i32.sub (local.get $left) (local.get $n)))
          (local.set $scale (v128.load32_splat (local.get $quantizers)))
          (local.set $lowest (v128.load32_splat offset=4 (local.get $quantizers)))
          (local.set $highest (v128.load32_splat offset=8 (local.get $quantizers)))
          (loop $stretches
            (local.set $most (select (local.get $n) (i32.const 512) (i32.lt_u (local.get $n) (i32.const 512))))
            (local.set $end (i32.add (local.get $p) (i32.shl (local.get $most) (i32.const 2))))
            (local.set $sum (v128.const i32x4 0 0 0 0))
            (loop $vector
              (local.set $x (v128.load (local.get $p)))
              (local.set $p (i32.add (local.get $p) (i32.const 16)))
              (if (i32.gt_u (local.get $p) (local.get $end))
                (then (local.set $x (v128.and (local.get $x) (call $mask (i32.and (local.get $most) (i32.const 3)))))))
              (local.set $x
                (f32x4.sub
                  (local.get $x)
                  (f32x4.mul
                    (f32x4.pmin
                      (f32x4.pmax (f32x4.nearest (f32x4.div (local.get $x) (local.get $scale))) (local.get $lowest))
                      (local.get $highest))
                    (local.get $scale))))
              (local.set $sum (f32x4.add (local.get $sum) (f32x4.mul (local.get $x) (local.get $x))))
              (br_if $vector (i32.lt_u (local.get $p) (local.get $end))))
            (local.set $p (local.get $end))
            (local.set $part (f64.add (local.get $part) (call $sum (local.get $sum))))
            (br_if $stretches (local.tee $n (i32.sub (local.get $n) (local.get $most)))))
          (local.set $quantizers (i32.add (local.get $quantizers) (local.get $perGroup)))
          (br_if $groups (local.get $left)))
        (local.set $quantizers (i32.add (local.get $quantizers) (local.get $perRow)))
        (f64.store (local.get $noise) (f64.add (f64.load (local.get $noise)) (local.get $part)))
        (local.set $noise (i32.add (local.get $noise) (i32.const 8)))
        (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
        (br $row)))))
